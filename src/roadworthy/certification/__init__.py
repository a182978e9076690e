"""The checks of a candidate, their evidence, and the certificate that lists them.

In come what capture and verification found, the release's own documents, and a way to send
requests to its running worker; out goes a certificate. Nothing here decides what is deployed,
starts a worker, or stores anything.
"""
