"""A stand-in for Clair: reads its configuration as strictly, needs its database, takes manifests, says what is in their layers."""
