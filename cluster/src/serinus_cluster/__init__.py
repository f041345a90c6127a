"""A kind cluster with all that the platform stands on: up, down, doctor.

Holds: the steps of `make up` as a pure plan for two situations (images can be pulled, or only package
registries can be reached), and the thin edge that runs them. Must not hold what an image is built
from (`airgap/`) nor what a model team applies (`manifests/models/`).
"""
