# What `make install` copies; each part installs its own programs and headers beside its target.
