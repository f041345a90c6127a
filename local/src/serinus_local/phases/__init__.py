"""The chapters of the demo, in order. Each calls what a room offers and notes what came of it."""
