# shellcheck shell=bash
# The images of the Quay stand-in: one base layer with Python, and a thin layer for each version.
# Times in the layers are fixed, so the same packages give the same digests.

IMAGE=registry.redhat.io/quay/quay-rhel8
OLD=v3.7.0
NEW=v3.8.0
IMAGE_PACKAGES=python3,python3-psycopg2,python3-yaml,dash,coreutils,procps,base-files,base-passwd,libc-bin

images_rootfs() {
  local tree=$LAB/image/rootfs stamp
  stamp=$(digest_of machine_tree images_rootfs <<<"$SUITE $IMAGE_PACKAGES")
  [[ $(cat "$tree.stamp" 2>/dev/null) != "$stamp" ]] || return 0
  say "building the base of the images"
  mkdir -p "$LAB/image"
  rm -f "$tree.stamp"
  remove_tree "$tree"
  # Files only: no package scripts run, nothing but what Python and a shell need.
  machine_tree "$tree" --variant=extract --include="$IMAGE_PACKAGES" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --dpkgopt='path-exclude=/usr/share/*' --dpkgopt='path-include=/usr/share/python3/*' --dpkgopt='path-include=/usr/share/base-passwd/*'
  rm -rf "${tree:?}"/{dev,proc,sys,run}/* "$tree"/var/{lib/apt,lib/dpkg,cache,log} "$tree/etc/apt"
  [[ -e $tree/bin/sh ]] || ln -s dash "$tree/bin/sh"
  [[ -e $tree/usr/bin/python3 ]] || ln -s python3.11 "$tree/usr/bin/python3"
  printf 'root:x:0:0:root:/root:/bin/sh\nquay:x:1001:0:quay:/quay-registry:/bin/sh\n' >"$tree/etc/passwd"
  printf 'root:x:0:\n' >"$tree/etc/group"
  mkdir -p "$tree"/{conf/stack,datastorage,quay-registry,var/log,tmp}
  chmod 1777 "$tree/tmp"
  find "$tree" -name '*.pyc' -delete
  printf '%s\n' "$stamp" >"$tree.stamp"
}

buildah_here() { buildah --root "$LAB/image/storage" --runroot "$LAB/image/run" --storage-driver vfs "$@" 9>&-; }

images_stamp() { find "$HERE/quay" -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 cat | cat - "$LAB/image/rootfs.stamp" | digest_of images_build; }

images_build() {
  local stamp version dir=$LAB/image
  stamp=$(images_stamp)
  [[ $(cat "$dir/oci.stamp" 2>/dev/null) != "$stamp" ]] || return 0
  say "building the images"
  rm -rf -- "$dir/oci" "$dir/oci.stamp" "$dir/context"
  mkdir -p "$dir/context"
  {
    if ! buildah_here inspect --type image localhost/lab-base >/dev/null 2>&1 || [[ $(cat "$dir/base.stamp" 2>/dev/null) != "$(cat "$dir/rootfs.stamp")" ]]; then
      tar -C "$dir/rootfs" --sort=name --mtime=@0 --numeric-owner -cf "$dir/context/rootfs.tar" .
      printf 'FROM scratch\nADD rootfs.tar /\n' >"$dir/context/Containerfile"
      buildah_here bud --isolation chroot --timestamp 0 -t localhost/lab-base "$dir/context"
      cp "$dir/rootfs.stamp" "$dir/base.stamp"
      rm "$dir/context/rootfs.tar"
    fi
    cp -r "$HERE/quay/." "$dir/context/"
    find "$dir/context" -name __pycache__ -prune -exec rm -rf {} +
    for version in "$OLD" "$NEW"; do
      printf '%s\n' "$version" >"$dir/context/VERSION"
      buildah_here bud --isolation chroot --timestamp 0 --build-arg "VERSION=$version" -t "localhost/quay:$version" "$dir/context"
      buildah_here push "localhost/quay:$version" "oci:$dir/oci:$version"
    done
  } >"$dir/build.log" 2>&1 || die "an image was not built: $(tail -n 3 "$dir/build.log")"
  printf '%s\n' "$stamp" >"$dir/oci.stamp"
}

images_push() {
  local version digest
  for version in "$OLD" "$NEW"; do
    digest=$(images_digest "$version")
    [[ $(registry_digest "$version") == "$digest" ]] ||
      skopeo copy --quiet --preserve-digests --dest-tls-verify=false "oci:$LAB/image/oci:$version" "docker://$(registry_address)/${IMAGE#*/}:$version" 9>&- ||
      die "$version could not be pushed"
    [[ $(registry_digest "$version") == "$digest" ]] || die "the registry gives another digest for $version than $digest"
  done
}

# The digest of the manifest, as a pull by digest names it.
images_digest() {
  [[ -e $LAB/image/oci/index.json ]] || return 0
  tr -d ' \n' <"$LAB/image/oci/index.json" | grep -o "\"digest\":\"sha256:[0-9a-f]*\",\"size\":[0-9]*,\"annotations\":{\"org.opencontainers.image.ref.name\":\"$1\"" | grep -o 'sha256:[0-9a-f]*'
}
