# SPDX-License-Identifier: MIT
# Random operations on one file, against a model.
/mnt/programs/fsx file "$(cat ../in/seed)" 5000
echo "status $?"
