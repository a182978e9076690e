"""Groups of pages over HTTP, one file each: its routes, what it reads, what it answers."""
