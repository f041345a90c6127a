"""Every image and tool of the cluster, built from Go modules, PyPI and Debian packages alone.

Holds: the image descriptions' reader, the incremental builder, the table of pins. Must not hold
steps of the cluster (`cluster/`): it only delivers images, tools and chart folders.
"""
