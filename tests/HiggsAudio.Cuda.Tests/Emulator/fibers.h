// Runs the blocks of a launch: threads of a block are fibers, which change only where they wait. A thread that never waits runs as a plain
// call on the fiber of the thread before it. Threads and blocks take turns at running forwards and backwards.
#pragma once
#include <string>
#include <vector>
#include "emulator.h"

namespace emulator
{
    struct Launch
    {
        const Kernel* kernel;
        const Module* module;
        Index grid, block;
        size_t sharedBytes;
        void* const* arguments;
    };

    // The state that modules are bound to.
    Runtime* runtime();

    // Runs a launch; the message is empty if all went well.
    std::string run(const Launch& launch);
}
