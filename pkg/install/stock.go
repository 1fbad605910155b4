package install

// StockAdvice tells how a player that cannot run this program takes part with
// the rsync 2.3.2 that was made for it, as master or as slave. The same text
// stands in scripts/install.sh; a test compares them.
const StockAdvice = `Such a player takes part with its own rsync 2.3.2, and everything here speaks
with that. Unpack rsync 2.3.2 on it (keep the archive on /drive0: an upgrade
rewrites the root), then, with the root writable (rw):

  echo "root::0:0:root:/:/bin/sh" >> /etc/passwd
  echo "root:x:0:" >> /etc/group
  echo "127.0.0.1 localhost" >> /etc/hosts
  echo "ADDRESS NAME (none)" >> /etc/hosts    (its own address and name)

As a master, /etc/rsyncd.conf:

  log file = /drive0/rsyncd.log
  pid file = /drive0/rsyncd.pid
  uid = root
  gid = root

  [drive0]
      path = /drive0
      use chroot = no

  [drive1]
      path = /drive1
      use chroot = no

and, with the drives writable (rwm):

  rsync --daemon

Others then pull from it: empegsync pull ADDRESS

As a slave, quit the player (q on its console), then:

  rwm
  cd /drive0
  rsync -auv --delete rsync://MASTER/drive0/fids .
  cd /drive1
  rsync -auv --delete rsync://MASTER/drive1/fids .
  cd /empeg/var
  rm -f database database3 playlists tags
  cd /
  exit

The player starts and rebuilds its database. Put -n before the u to look first.
`
