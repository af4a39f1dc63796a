"""The backup repository: cut, encrypt, pack, index, snapshot, restore, verify; storage ports. Usable alone."""
