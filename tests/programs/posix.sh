# SPDX-License-Identifier: MIT
# Random system calls here and on a file system in memory.
reference=$(mktemp -d /tmp/posix.XXXXXX)
mkdir here
chmod 755 "$reference"
/mnt/programs/fs_diff here "$reference" "$(cat ../in/seed)" 3000
echo "status $?"
chmod -R u+rwx here "$reference"
rm -rf "$reference" here
