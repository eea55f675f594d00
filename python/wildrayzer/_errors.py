"""What the package raises. All of it is found in the package itself."""


class Error(Exception):
    """What the program raises on purpose; the message is one line that names the remedy."""


class FileError(Error, OSError):
    """A file cannot be read, is damaged, or does not hold what it must. ``path`` names it."""

    path: str = ""

    def __str__(self) -> str:
        return Exception.__str__(self)


class UsageError(Error, ValueError):
    """An argument, or several together, ask for something impossible; the message begins with the argument."""


for _error in (Error, FileError, UsageError):
    _error.__module__ = "wildrayzer"
del _error
