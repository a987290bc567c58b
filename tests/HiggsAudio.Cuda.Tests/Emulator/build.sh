#!/bin/sh
# Builds the emulated CUDA libraries and their self test: build.sh FOLDER. The compiler is $CXX, or c++. Does nothing where nothing has changed.
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh FOLDER}
cxx=${CXX:-c++}
mkdir -p "$out"
flags="-std=c++20 -O2 -fPIC -shared -fvisibility=hidden -Wall -Wextra -Wno-missing-field-initializers"
stamp=$( (cat "$here"/*.cpp "$here"/*.h "$0"; echo "$cxx $flags") | cksum)
[ -f "$out/stamp" ] && [ "$(cat "$out/stamp")" = "$stamp" ] && exit 0

cp "$here/emulator.h" "$here/cuda_shim.h" "$out/"
link() {        # library, sources ...
    library=$1; shift
    $cxx $flags "$@" -ldl -lpthread -Wl,-soname,"$library" -o "$out/$library.$$"
    mv "$out/$library.$$" "$out/$library"
}
link libnvrtc.so.12 "$here/fake_nvrtc.cpp" &
nvrtc=$!
link libcuda.so.1 "$here/fake_cuda.cpp" "$here/fake_memory.cpp" "$here/fake_modules.cpp" "$here/fake_streams.cpp" "$here/fibers.cpp"
wait $nvrtc
$cxx -std=c++20 -O1 -Wall -Wextra "$here/selftest.cpp" "$out/libcuda.so.1" "$out/libnvrtc.so.12" "-Wl,-rpath,$out" -o "$out/selftest.$$"
mv "$out/selftest.$$" "$out/selftest"
echo "$stamp" > "$out/stamp"
