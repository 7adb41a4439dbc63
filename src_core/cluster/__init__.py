"""The same training on another machine: certificates, a server, and the way to it.

::

    keyring, authority      the certificates of one side; how they are made
    manifest, pack, unpack  a frozen snapshot as a list of hashes; out of a project
                            and into one
    blobs                   what the list speaks of, kept by hash, bounded
    records, hub, door      the server: jobs on disk, what is done with them, who is
                            let in to ask
    dispatch                jobs carried out on dask's workers, whatever dies
    serve, workers, errand  its processes; what a worker does
    link, news              the client: the connection, and what it lets through
    remote, left            trainings there, and the project's note of one
    following, receive      one of them, and the model that it brings
    training                one training, here or there: what the command line and
                            the panel call

Between a client and a server only JSON and bytes travel, by HTTPS with certificates on
both sides. dask, whose messages are pickles and so can run code, is spoken by servers
alone: its ports accept a server's certificate and no client's.

Importing this package costs nothing.
"""
