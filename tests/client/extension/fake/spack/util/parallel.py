"""Processes that concretize side by side; of their errors a text is what arrives."""


class ErrorFromWorker:
    def __init__(self, error_class, error, traceback):
        self.error_message = str(error)

    def __str__(self):
        return self.error_message
