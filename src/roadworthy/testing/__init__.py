"""What tests need, shipped: contracts as test classes, faulty lower layers, real servers.

For our own tests and for those who write another implementation of a port. Needs pytest;
nothing in Roadworthy imports this folder.
"""
