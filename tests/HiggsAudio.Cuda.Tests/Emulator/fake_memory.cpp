// Device memory: blocks with guard zones around them, fresh ones full of what is not a number. Host memory that is pinned.
#include "fake_cuda.h"

#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

using namespace emulator;

namespace
{
    constexpr size_t GuardBytes = 4096, CheckedBytes = 512, MostKept = 64 << 20, MostPoison = 16 << 20, MostPinnedPoison = 64 << 10;
    constexpr uint32_t GuardWord = 0x7FC0DEAD;                  // not a number

    void fill(char* to, size_t size)
    {
        for (size_t i = 0; i + 4 <= size; i += 4)
            memcpy(to + i, &GuardWord, 4);
    }

    bool is_whole(const char* from, size_t size)
    {
        const uint32_t* words = (const uint32_t*)from;
        uint32_t difference = 0;
        for (size_t i = 0; i < size / 4; i++)
            difference |= words[i] ^ GuardWord;
        return difference == 0;
    }

    // Mappings that were given back and are poisoned entirely when they are used again; new ones cost page faults.
    std::multimap<size_t, char*> kept;
    size_t keptBytes = 0;

    char* map(size_t whole)
    {
        auto old = kept.find(whole);
        if (old != kept.end())
        {
            char* base = old->second;
            keptBytes -= whole;
            kept.erase(old);
            return base;
        }
        void* base = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return base == MAP_FAILED ? nullptr : (char*)base;
    }

    void unmap(const Allocation& block)
    {
        if (block.whole > MostPoison || keptBytes + block.whole > MostKept)
        {
            munmap(block.base, block.whole);
            return;
        }
        kept.emplace(block.whole, block.base);
        keptBytes += block.whole;
    }

    // The end of a block up to the next multiple of 4 is left out.
    char* behind(const Allocation& block) { return block.base + GuardBytes + (block.size + 3) / 4 * 4; }

    CUresult check(const Allocation& block)
    {
        size_t rest = block.base + block.whole - behind(block);
        if (is_whole(block.base + GuardBytes - CheckedBytes, CheckedBytes) && is_whole(behind(block), rest < CheckedBytes ? rest : CheckedBytes))
            return Success;
        return explain(driver().broken = IllegalAddress, "something was written just outside of a block of " + std::to_string(block.size) + " bytes of device memory.");
    }
}

namespace emulator
{
    bool is_device_range(CUdeviceptr address, size_t size)
    {
        Driver& d = driver();
        if (size == 0)
            return true;
        auto block = d.memory.upper_bound(address);
        if (block == d.memory.begin())
            return false;
        --block;
        return address - block->first <= block->second.size && size <= block->second.size - (address - block->first);
    }

    bool is_pinned(const void* address, size_t size)
    {
        Driver& d = driver();
        auto block = d.pinned.upper_bound((char*)address);
        if (block == d.pinned.begin())
            return false;
        --block;
        return (size_t)((char*)address - block->first) <= block->second && size <= block->second - ((char*)address - block->first);
    }

    CUresult check_guards()
    {
        for (auto& block : driver().memory)
            if (CUresult wrong = check(block.second))
                return wrong;
        return Success;
    }
}

EXPORT CUresult cuMemGetInfo_v2(size_t* available, size_t* total)
{
    ENTER();
    *total = d.memoryLimit;
    *available = d.memoryLimit > d.memoryInUse ? d.memoryLimit - d.memoryInUse : 0;
    return Success;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes)
{
    ENTER();
    if (bytes == 0)
        return InvalidValue;
    if (bytes > d.memoryLimit || d.memoryInUse > d.memoryLimit - bytes)
        return OutOfMemory;
    size_t whole = (bytes + 4095) / 4096 * 4096 + 2 * GuardBytes;
    char* base = map(whole);
    if (!base)
        return OutOfMemory;
    Allocation block = { base, bytes, whole };
    fill(base, GuardBytes);
    memset(base + GuardBytes, 0xFF, bytes < MostPoison ? bytes : MostPoison);
    size_t rest = base + whole - behind(block);
    fill(behind(block), rest < GuardBytes ? rest : GuardBytes);
    *address = (CUdeviceptr)(base + GuardBytes);
    d.memory[*address] = block;
    d.memoryInUse += bytes;
    return Success;
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr address)
{
    ENTER();
    if (address == 0)
        return Success;
    auto block = d.memory.find(address);
    if (block == d.memory.end())
        return explain(InvalidValue, "cuMemFree: no block of device memory begins here.");
    CUresult result = drain_all();              // freeing waits for everything
    if (CUresult wrong = check(block->second))
        result = wrong;
    d.memoryInUse -= block->second.size;
    unmap(block->second);
    d.memory.erase(block);
    return result;
}

EXPORT CUresult cuMemHostAlloc(void** address, size_t bytes, unsigned)
{
    ENTER();
    if (bytes == 0)
        return InvalidValue;
    if (posix_memalign(address, 4096, bytes) != 0)
        return OutOfMemory;
    memset(*address, 0xFF, bytes < MostPinnedPoison ? bytes : MostPinnedPoison);
    d.pinned[(char*)*address] = bytes;
    return Success;
}

EXPORT CUresult cuMemFreeHost(void* address)
{
    ENTER();
    auto block = d.pinned.find((char*)address);
    if (block == d.pinned.end())
        return explain(InvalidValue, "cuMemFreeHost: no pinned block begins here.");
    CUresult result = drain_all();
    memset(address, 0xFF, block->second < MostPinnedPoison ? block->second : MostPinnedPoison);
    free(address);
    d.pinned.erase(block);
    return result;
}
