"""Work on whole data sets, from the command line's ``netdef data``: make, convert, split, check, describe, fetch, show.

``records.py`` says what a set of records is, ``reading.py`` opens any source as one (databases, pictures in folders and lists,
arrays in files); ``target.py`` and ``write_*.py`` write one, aside and resumable, and ``copying.py`` brings both together.
``mean.py``, ``info.py``, ``check.py`` and ``split.py`` are one command each; ``published.py`` names the data sets that
``fetch.py`` gets; ``sheet.py`` draws contact sheets, ``show.py`` those of what a net sees. Batches for training are no
business of this room: that is ``netdef.data``. May import everything up to runtime. A new kind of file to write is one
module with a class that follows ``Writer`` and one line in ``kinds.py``.
"""
