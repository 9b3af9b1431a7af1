"""Config: text to located tree to typed message.

What lives here, in the order in which a config passes through: ``paths`` finds the file, ``load`` reads it,
``prototxt`` or ``yamltext`` make a ``tree`` (``templates`` and its ``templates_*`` files expand YAML's templates,
``yamlshort`` the short form of layers), ``bind`` makes a message of ``schema``
out of it and keeps the place of every field (``located``; ``scalars`` reads the values), ``upgrade`` and its ``upgrade_*``
files make old spellings current, ``overrides`` applies ``--set``, ``write`` goes the way
back. ``binary`` reads the net inside a .caffemodel; ``dialects`` knows the fields of forks,
``dialects_inner`` their numbers inside messages that Caffes share, ``recognise`` tells whose a net is.

May import ``netdef.errors`` only. A new field or message is added in proto/, nothing is added here; a new format
would be one more reader that makes the same tree.
"""
