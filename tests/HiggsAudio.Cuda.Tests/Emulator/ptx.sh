#!/bin/sh
# Compiles kernels with clang's CUDA front end to PTX: ptx.sh KERNELS FOLDER. $CLANG, or the newest clang there is; 77 where there is none.
set -e
here=$(cd "$(dirname "$0")" && pwd)
kernels=${1:?usage: ptx.sh KERNELS FOLDER}
out=${2:?usage: ptx.sh KERNELS FOLDER}
for name in ${CLANG:-clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14}; do
    if command -v "$name" > /dev/null; then clang=$name; break; fi
done
[ -n "$clang" ] || exit 77
mkdir -p "$out"
failed=0
for kernel in "$kernels"/*.cu; do
    "$clang" -x cuda --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_80 -Xclang -target-feature -Xclang +ptx70 -std=c++17 -O3 -fdeclspec -Wall -Wno-unknown-cuda-version -Wno-undefined-internal \
        -include "$here/clang_builtins.h" -I "$kernels" -S "$kernel" -o "$out/$(basename "$kernel" .cu).ptx" || failed=1
done
# An array that is not in registers is in memory, and slow.
if grep -l __local_depot "$out"/*.ptx; then
    echo "These kernels keep arrays in local memory."
    failed=1
fi
exit $failed
