"""The decisions, pure, and the engine that runs them."""

import schemas as schemas  # compiled twins of the modules here are found from then on
