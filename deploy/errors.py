"""What can go wrong here, by what the user has to do about it."""


class DeployError(Exception):
    """Base of all errors of this package; the message says what to do next."""


class FetchError(DeployError):
    """A server's files could not be downloaded, or are not the pinned ones."""


class MissingError(DeployError):
    """Something that has to be on this machine first is not there."""


class StartError(DeployError):
    """A process did not start or did not answer in time; the message has its log's tail."""


class AlreadyRunningError(DeployError):
    """Another stack owns this data directory."""


class NotReadyError(DeployError):
    """A server does not answer yet."""
