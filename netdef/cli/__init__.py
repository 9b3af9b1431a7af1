"""The command line: one file a command, each a thin click function that calls the library.

``main.py`` finds commands by name and imports a command's file only when it is used; a command imports netdef's rooms
inside its function, so that ``netdef --help`` loads neither numpy nor numba. To add a command: write ``<name>.py``
with a click command named ``command`` and name it in ``main.COMMANDS``.
"""
