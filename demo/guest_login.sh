# The part of the demo's guest that lets people in: the user and the keys of its seed, and an sshd. The guest's init reads it.
mkdir -p /dev/pts /etc/dropbear /home
mount -t devpts devpts /dev/pts
# The host keys stay on the disk: whoever comes back meets the same guest.
mount -t ext2 /dev/vda2 /etc/dropbear

echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd
printf 'root:x:0:\ntty:x:5:\n' >/etc/group
home=/root
if [ -n "$user" ] && [ "$user" != root ]; then
    home=/home/$user
    echo "$user:x:1000:1000:$user:$home:/bin/sh" >>/etc/passwd
    echo "$user:x:1000:" >>/etc/group
fi
mkdir -p "$home/.ssh"
sed -nE 's/^ *"((ssh-|ecdsa-|sk-)[^"]*)",?$/\1/p' /mnt/vendor-data >"$home/.ssh/authorized_keys" 2>/dev/null
[ "$home" = /root ] || chown -R 1000:1000 "$home"
chmod 0700 "$home" "$home/.ssh"
echo 'A small guest of cimi-gateway: busybox, and nothing that lasts but its host keys.' >/etc/motd
dropbear -R -s -b /etc/motd
