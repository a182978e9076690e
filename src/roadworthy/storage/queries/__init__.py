"""The questions that are asked of the metadata, each a function named after its question.

Every function takes the connection of a transaction that its caller opened
(``Database.reading`` or ``Database.writing``), so several can be asked in one.
"""
