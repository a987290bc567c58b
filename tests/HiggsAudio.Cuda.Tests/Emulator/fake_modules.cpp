// Modules and launches.
#include "fake_cuda.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <unistd.h>
#include "fibers.h"

using namespace emulator;

namespace
{
    constexpr int MostShared = 227 * 1024;

    // The loaded library with these bytes; it stays loaded.
    void* library_of(const std::string& bytes, std::string* why)
    {
        static std::map<std::string, void*> libraries;
        auto known = libraries.find(bytes);
        if (known != libraries.end())
            return known->second;
        std::string path = (std::filesystem::temp_directory_path() / "cuda-emulator-XXXXXX").string();
        int file = mkstemp(path.data());
        if (file < 0)
            return nullptr;
        for (size_t written = 0; written < bytes.size();)
        {
            ssize_t count = write(file, bytes.data() + written, bytes.size() - written);
            if (count <= 0)
                break;
            written += (size_t)count;
        }
        close(file);
        void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!library)
            *why = dlerror();
        unlink(path.c_str());
        return library ? libraries[bytes] = library : nullptr;
    }
}

EXPORT CUresult cuModuleLoadData(LoadedModule** module, const void* image)
{
    ENTER();
    const ImageHeader* header = (const ImageHeader*)image;
    if (memcmp(header->magic, Magic, sizeof header->magic) != 0)
        return explain(InvalidImage, "cuModuleLoadData: this image was not made by the emulated NVRTC.");
    std::string why;
    void* library = library_of(std::string((const char*)(header + 1), header->size), &why);
    const Module* inside = library ? (const Module*)dlsym(library, "emulator_module") : nullptr;
    if (!inside)
        return explain(InvalidImage, "cuModuleLoadData: " + why);
    inside->bind(runtime());
    d.modules.insert(*module = new LoadedModule { library, inside });
    return Success;
}

EXPORT CUresult cuModuleUnload(LoadedModule* module)
{
    ENTER();
    if (!d.modules.count(module))
        return InvalidHandle;
    CUresult result = drain_all();
    for (auto f = d.functions.begin(); f != d.functions.end();)
        f = f->first.first == module ? d.functions.erase(f) : std::next(f);
    d.modules.erase(module);
    delete module;
    return result;
}

EXPORT CUresult cuModuleGetFunction(Function** function, LoadedModule* module, const char* name)
{
    ENTER();
    if (!d.modules.count(module))
        return InvalidHandle;
    for (int i = 0; i < module->module->count; i++)
        if (strcmp(module->module->kernels[i].name, name) == 0)
        {
            std::unique_ptr<Function>& slot = d.functions[{ module, name }];
            if (!slot)
                slot.reset(new Function { module, module->module->kernels + i });
            *function = slot.get();
            return Success;
        }
    return explain(NotFound, std::string("cuModuleGetFunction: no kernel ") + name + ".");
}

EXPORT CUresult cuFuncSetAttribute(Function* function, int attribute, int value)
{
    ENTER();
    if (attribute != 8)
        return Success;
    if (value > MostShared)
        return explain(InvalidValue, std::string(function->kernel->name) + ": " + std::to_string(value) + " bytes of shared memory.");
    function->mostDynamicShared = value;
    return Success;
}

EXPORT CUresult cuFuncGetAttribute(int* value, int attribute, Function* function)
{
    ENTER();
    *value = attribute == 0 ? function->kernel->maxThreads : attribute == 8 ? function->mostDynamicShared : 0;
    return Success;
}

EXPORT CUresult cuLaunchKernel(Function* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream* stream,
    void** parameters, void** extra)
{
    ENTER();
    bool known = false;
    for (auto& f : d.functions)
        known |= f.second.get() == function;
    if (!known || !is_stream(stream) || extra)
        return InvalidHandle;
    const Kernel& kernel = *function->kernel;
    std::string name = kernel.name;
    if (gridX == 0 || gridY == 0 || gridZ == 0 || blockX == 0 || blockY == 0 || blockZ == 0)
        return explain(InvalidValue, name + ": an empty grid or block.");
    if (gridX > 2147483647u || gridY > 65535 || gridZ > 65535)
        return explain(InvalidValue, name + ": a grid of " + std::to_string(gridX) + " x " + std::to_string(gridY) + " x " + std::to_string(gridZ) + " blocks.");
    uint64_t threads = (uint64_t)blockX * blockY * blockZ;
    if (blockX > 1024 || blockY > 1024 || blockZ > 64 || threads > 1024)
        return explain(InvalidValue, name + ": a block of " + std::to_string(blockX) + " x " + std::to_string(blockY) + " x " + std::to_string(blockZ) + " threads.");
    if (kernel.maxThreads > 0 && threads > (uint64_t)kernel.maxThreads)
        return explain(LaunchOutOfResources, name + ": " + std::to_string(threads) + " threads, its bound is " + std::to_string(kernel.maxThreads) + ".");
    if ((int)sharedBytes > function->mostDynamicShared)
        return explain(InvalidValue, name + ": " + std::to_string(sharedBytes) + " bytes of shared memory, " + std::to_string(function->mostDynamicShared) + " are allowed.");
    Operation operation = { Operation::Launch };
    operation.function = function;
    operation.grid = { gridX, gridY, gridZ };
    operation.block = { blockX, blockY, blockZ };
    operation.sharedBytes = sharedBytes;
    for (int i = 0; i < kernel.parameters; i++)
    {
        uint64_t value = 0;
        memcpy(&value, parameters[i], (size_t)kernel.sizes[i]);
        operation.arguments.push_back(value);
    }
    return submit(stream, std::move(operation));
}
