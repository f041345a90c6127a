"""The words that two rooms must agree on.

Holds: the model artifact's layout, the online feature plan, on-demand expressions, the records of
predictions and labels, metric names, registry tags, the drift report. Data and pure functions only.

Must not: do I/O, or import anything but the standard library.
Who may import it: every room. A change here touches the tests of both rooms that share the word.
"""
