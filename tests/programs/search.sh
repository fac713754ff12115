# SPDX-License-Identifier: MIT
# find and grep over a tree.
in=../in/tree
find $in -type f -name '*.h' | sort
find $in -size +20k -printf '%P %s %m %y\n' | sort
find $in -type d -empty; find $in -maxdepth 1 -printf '%f %d\n' | sort; find $in/nowhere
find $in -name '*.cc' -exec grep -l epoll {} + | sort
grep -rn --include=*.cc 'EINVAL' $in | sort | sha256sum
grep -rc static $in | sort -t: -k2n | tail -n 5
grep -r 'no such text anywhere' $in; echo "status $?"
find $in -name '*.h' -print0 | sort -z | xargs -0 -n 7 wc -l | grep total
cp -r $in mine && find mine -name '*.cc' -delete && find mine -type f | wc -l && find mine -depth -type d -exec rmdir {} \; 2>&1 | wc -l
