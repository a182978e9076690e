"""What should run, and getting there: deploy, the controller, roll-back, why and since when.

In come requests of people and programs and the agent's reports; out go changes of
deployments, operations with their progress, and the routing table. Deciding is pure
(``decisions``, ``transitions``, ``table``); acting is in ``controller`` and ``changes``. It
touches no process itself: the agent does that.
"""
