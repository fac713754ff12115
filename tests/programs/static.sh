# SPDX-License-Identifier: MIT
# Programs without libc.
/mnt/programs/static-musl
echo "status $?"
/mnt/programs/static-go
echo "status $?"
