class SpackError(Exception):
    def __init__(self, message, long_message=None):
        super().__init__(message)
        self.message, self.long_message = message, long_message


class InstallError(SpackError):
    def __init__(self, message, long_message=None, pkg=None):
        super().__init__(message, long_message)
        self.pkg = pkg


class SpecError(SpackError):
    pass


class FetchError(SpackError):
    pass


class StopPhase(SpackError):  # noqa: N818 -- the real one's name
    pass
