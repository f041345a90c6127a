// The process that holds a pod's namespaces: our own, because upstream's is written in C.
module serinus.dev/airgap/pause

go 1.24.0
