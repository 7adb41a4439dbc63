"""The same training on another machine: certificates, a server, and the way to it.

::

    keyring, authority      the certificates of one side; how they are made
    manifest, pack, unpack  a frozen snapshot as a list of hashes; out of a project
                            and into one
    blobs                   what the list speaks of, kept by hash, bounded
    records, hub, dispatch  the server: jobs on disk, the door, the dask workers
    serve, errand           its processes; what a worker does
    link, remote, receive   the client: the connection, the job, the model it brings
    training                one training, here or there: what the command line and
                            the panel call

Between a client and a server only JSON and bytes travel, by HTTPS with certificates on
both sides. dask, whose messages are pickles and so can run code, is spoken by servers
alone: its ports accept a server's certificate and no client's.

Importing this package costs nothing.
"""
