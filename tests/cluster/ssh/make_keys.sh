#!/bin/sh
# Makes the user's key and the key of the machines; a machine gets only the public half of the former.
set -eu
[ ! -e /ssh/user/known_hosts ] || exit 0
ssh-keygen -q -t ed25519 -N '' -f /ssh/user/id_ed25519
ssh-keygen -q -t ed25519 -N '' -f /ssh/machine/host_key
cp /ssh/user/id_ed25519.pub /ssh/machine/authorized_keys
for host in n0 n1 n2; do
  echo "$host $(cut -d' ' -f1-2 /ssh/machine/host_key.pub)"
done >/ssh/user/known_hosts
