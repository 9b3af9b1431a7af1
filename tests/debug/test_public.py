"""The names users import, whatever was imported before."""
from __future__ import annotations


def test_functions_stay_functions():
    import netdef.debug
    import netdef.debug.netcheck
    import netdef.debug.recording
    import netdef.debug.rerun

    for name in netdef.debug.__all__:
        assert callable(getattr(netdef.debug, name)), name
