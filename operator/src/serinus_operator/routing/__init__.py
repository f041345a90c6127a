"""From an InferenceService to its route. Pure: documents in, documents out; no I/O, no clock, no chance."""
