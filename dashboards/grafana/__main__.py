"""Write every dashboard's JSON where Grafana's provisioning reads it."""

from __future__ import annotations

from dashboards.grafana.files import FOLDER, files


def main() -> None:
    """Write the files, and say which."""
    FOLDER.mkdir(exist_ok=True)
    for path, content in files().items():
        path.write_text(content)
        print(path)


if __name__ == "__main__":
    main()
