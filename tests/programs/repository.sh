# SPDX-License-Identifier: MIT
# git: from init to clone.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' GIT_COMMITTER_DATE='2001-02-03T04:05:06Z' HOME=$PWD GIT_CONFIG_NOSYSTEM=1
git -c init.defaultBranch=main init -q repo
cp -r ../in/tree/* repo/
cd repo
git add . && git commit -qm first && git status --short
echo more >>README.md && git rm -q host-lib/worker.cc && git diff --stat && git commit -qam second
git log --format='%H %s' && git ls-files -s | sha256sum
git checkout -q -b side HEAD~1 && echo side >side && git add side && git commit -qm side && git checkout -q main && git merge -q -m merged side
git log --graph --oneline && git fsck --full 2>&1 && git stash list
git gc -q && git count-objects -v | grep -E 'in-pack|packs|garbage'
cd .. && git clone -q repo copy && git clone -q --bare file://$PWD/repo bare.git && git -C copy log --oneline | wc -l && git -C bare.git fsck
git -C copy checkout -q HEAD~1 && git -C copy status --short && git -C copy blame -s README.md | head -n 2
git -C repo tag -a -m tag v1 && git -C copy pull -q --tags origin main 2>/dev/null; git -C copy tag
# Packs hold times of files and random parts of names: gone before the trees are compared.
rm -rf repo/.git copy/.git bare.git
