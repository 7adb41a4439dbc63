"""Other machines: trainings on a server, and questions to a whole pool of images.

::

    certificates, authority  X.509; the two authorities and what they sign
    keyring, address         one side's certificates; where a server is
    manifest, pack, unpack   a frozen snapshot as a list of hashes; out of a project
                             and into one
    blobs                    what the list speaks of, kept by hash, bounded
    records, hub, door       the server: jobs on disk, what is done with them, who is
                             let in to ask
    dispatch, places, crew   jobs carried out on dask's workers, whatever dies; who
                             does what, alone or together
    serve, workers           its processes
    errand, shard            what a worker does: a training, a part of a pool
    link, trouble, patience  the client: the connection, and what may go wrong with it
    news                     what a server may tell
    remote, left             trainings there, and the project's note of one
    following, receive       one of them, and the model that it brings
    asking, shards, pool     a pool's question and answers; dealt out; asked for
    training                 one training, here or there: what the command line and
                             the panel call

Between a client and a server only JSON and bytes travel, by HTTPS with certificates on
both sides. dask, whose messages are pickles and so can run code, is spoken by servers
alone: its ports accept a server's certificate and no client's.

Importing this package costs nothing.
"""
