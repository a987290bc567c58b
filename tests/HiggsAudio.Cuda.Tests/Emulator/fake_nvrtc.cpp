// An emulated libnvrtc.so.12: compiles CUDA C++ with the host's compiler to a shared library, which the emulated driver loads. What it has
// compiled once it keeps beside this library.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>
#include "emulator.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace
{
    enum { Success = 0, ProgramCreationFailure = 2, InvalidInput = 3, InvalidProgram = 4, InvalidOption = 5, Compilation = 6, Internal = 11 };

    struct Program
    {
        std::string source, name, log;
        std::map<std::string, std::string> headers;
        std::vector<char> image;
        bool compiled = false;
    };

    std::string folder_of_this_library()
    {
        Dl_info info;
        dladdr((void*)&folder_of_this_library, &info);
        std::string path = info.dli_fname;
        size_t slash = path.rfind('/');
        return slash == std::string::npos ? "." : path.substr(0, slash);
    }

    std::string read_file(const std::string& path)
    {
        std::ifstream file(path, std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }

    void write_file(const std::string& path, const std::string& text)
    {
        std::ofstream file(path, std::ios::binary);
        file << text;
    }

    // Two different sums, so that programs do not meet by chance.
    std::string hash(const std::string& text)
    {
        uint64_t a = 14695981039346656037ull, b = 0x9E3779B97F4A7C15ull;
        for (unsigned char c : text)
        {
            a = (a ^ c) * 1099511628211ull;
            b = (b + c) * 6364136223846793005ull + (b >> 29);
        }
        char digits[40];
        snprintf(digits, sizeof digits, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
        return digits;
    }

    // extern "C" __global__ void [__launch_bounds__(threads ...)] name(
    std::string module_of(const std::string& source)
    {
        std::regex kernel(R"RE(__global__\s+void\s+(?:__launch_bounds__\s*\(\s*(\d+)[^)]*\)\s+)?(\w+)\s*\()RE");
        std::string text = "\n#line 1 \"module\"\nstatic constexpr emulator::Kernel emulatorKernels[] = {\n";
        int count = 0;
        for (std::sregex_iterator i(source.begin(), source.end(), kernel), end; i != end; ++i, count++)
        {
            std::string name = (*i)[2], bound = (*i)[1].matched ? (*i)[1].str() : "0";
            text += "    emulator_kernel<&" + name + ">(\"" + name + "\", &" + name + ", " + bound + "),\n";
        }
        text += count == 0 ? "    { nullptr, nullptr, 0, nullptr, 0 },\n};\n" : "};\n";
        text += R"(extern char emulatorSharedBegin[] __asm__("__bss_start") __attribute__((visibility("hidden")));
extern char emulatorSharedEnd[] __asm__("_end") __attribute__((visibility("hidden")));
extern "C" __attribute__((visibility("default"))) const emulator::Module emulator_module = { emulatorKernels, )" + std::to_string(count) + R"(,
    [](emulator::Runtime* runtime) { emulatorRuntime = runtime; }, emulatorSharedBegin, emulatorSharedEnd };
)";
        return text;
    }

    bool known_option(const std::string& option)
    {
        static const std::regex known(R"RE((--gpu-architecture=|-arch=)(sm|compute)_(50|52|53|60|61|62|70|72|75|80|86|87|89|90a?)|--?std=c\+\+(11|14|17|20)|-default-device|--device-as-default-execution-space|(-lineinfo|--generate-line-info)|(-D|--define-macro=)\w+(=\S*)?|--fmad=(true|false)|-fmad=(true|false))RE");
        return std::regex_match(option, known);
    }

    std::string in_quotes(const std::string& text) { return "'" + text + "'"; }

    int compile(Program& program, const std::string& options)
    {
        std::string here = folder_of_this_library(), compiler = getenv("CXX") && *getenv("CXX") ? getenv("CXX") : "c++";
        std::string flags = "-std=c++17 -O2 -march=native -ffp-contract=fast -fno-exceptions -fPIC -fvisibility=hidden -fsanitize=alignment -Wall -Wno-unknown-pragmas -Wno-attributes" + options;
        std::string all = program.source + module_of(program.source), everything = compiler + flags + all + read_file(here + "/cuda_shim.h") + read_file(here + "/emulator.h");
        for (auto& header : program.headers)
            everything += "\n" + header.first + "\n" + header.second;
        std::string cache = here + "/compiled", kept = cache + "/" + hash(everything) + ".so";
        mkdir(cache.c_str(), 0755);
        std::string image = read_file(kept);
        if (image.empty())
        {
            std::string folder = (std::filesystem::temp_directory_path() / "nvrtc-emulator-XXXXXX").string();
            if (!mkdtemp(folder.data()))
                return Internal;
            std::string in = folder, log = in + "/log";
            write_file(in + "/program.cu", "#include \"cuda_shim.h\"\n#line 1 \"" + program.name + "\"\n" + all);
            for (auto& header : program.headers)
                write_file(in + "/" + header.first, header.second);
            // Linked without -fsanitize: the shim has its own handler.
            std::string command = "{ " + compiler + " " + flags + " -I" + in_quotes(here) + " -I" + in_quotes(in) + " -x c++ -c " + in_quotes(in + "/program.cu") + " -o " + in_quotes(in + "/program.o") + " && "
                + compiler + " -shared " + in_quotes(in + "/program.o") + " -o " + in_quotes(in + "/program.so") + "; } > " + in_quotes(log) + " 2>&1";
            int status = system(command.c_str());
            program.log = read_file(log);
            image = status == 0 ? read_file(in + "/program.so") : "";
            if (status == 0)
            {
                // Complete or not there: several processes may compile the same at once.
                std::string unique = kept + "." + std::to_string(getpid());
                write_file(unique, image);
                rename(unique.c_str(), kept.c_str());
            }
            std::string remove = "rm -rf " + in_quotes(in);
            if (system(remove.c_str()) != 0)
                return Internal;
        }
        if (image.empty())
            return Compilation;
        emulator::ImageHeader header = {};
        memcpy(header.magic, emulator::Magic, sizeof header.magic);
        header.size = image.size();
        program.image.assign((const char*)&header, (const char*)(&header + 1));
        program.image.insert(program.image.end(), image.begin(), image.end());
        program.compiled = true;
        return Success;
    }
}

EXPORT int nvrtcVersion(int* major, int* minor)
{
    *major = 12;
    *minor = 4;
    return Success;
}

EXPORT const char* nvrtcGetErrorString(int code)
{
    switch (code)
    {
        case Success: return "NVRTC_SUCCESS";
        case ProgramCreationFailure: return "NVRTC_ERROR_PROGRAM_CREATION_FAILURE";
        case InvalidInput: return "NVRTC_ERROR_INVALID_INPUT";
        case InvalidProgram: return "NVRTC_ERROR_INVALID_PROGRAM";
        case InvalidOption: return "NVRTC_ERROR_INVALID_OPTION";
        case Compilation: return "NVRTC_ERROR_COMPILATION";
        case Internal: return "NVRTC_ERROR_INTERNAL_ERROR";
        default: return "NVRTC_ERROR unknown";
    }
}

EXPORT int nvrtcCreateProgram(Program** program, const char* source, const char* name, int headers, const char* const* contents, const char* const* names)
{
    if (!program || !source || headers < 0)
        return InvalidInput;
    *program = new Program { source, name ? name : "default_program", "", {}, {}, false };
    for (int i = 0; i < headers; i++)
        (*program)->headers[names[i]] = contents[i];
    return Success;
}

EXPORT int nvrtcDestroyProgram(Program** program)
{
    if (!program || !*program)
        return InvalidProgram;
    delete *program;
    *program = nullptr;
    return Success;
}

EXPORT int nvrtcCompileProgram(Program* program, int count, const char* const* options)
{
    if (!program)
        return InvalidProgram;
    std::string defines;
    for (int i = 0; i < count; i++)
    {
        std::string option = options[i];
        if (!known_option(option))
        {
            program->log = "nvrtc: error: invalid value or option " + option + "\n";
            return InvalidOption;
        }
        if (option.rfind("-D", 0) == 0)
            defines += " " + option;
        if (option.rfind("--define-macro=", 0) == 0)
            defines += " -D" + option.substr(15);
    }
    return compile(*program, defines);
}

EXPORT int nvrtcGetProgramLogSize(Program* program, size_t* size)
{
    if (!program)
        return InvalidProgram;
    *size = program->log.size() + 1;
    return Success;
}

EXPORT int nvrtcGetProgramLog(Program* program, char* log)
{
    if (!program)
        return InvalidProgram;
    memcpy(log, program->log.c_str(), program->log.size() + 1);
    return Success;
}

EXPORT int nvrtcGetCUBINSize(Program* program, size_t* size)
{
    if (!program || !program->compiled)
        return InvalidProgram;
    *size = program->image.size();
    return Success;
}

EXPORT int nvrtcGetCUBIN(Program* program, char* image)
{
    if (!program || !program->compiled)
        return InvalidProgram;
    memcpy(image, program->image.data(), program->image.size());
    return Success;
}

EXPORT int nvrtcGetPTXSize(Program* program, size_t* size) { return nvrtcGetCUBINSize(program, size); }

EXPORT int nvrtcGetPTX(Program* program, char* image) { return nvrtcGetCUBIN(program, image); }
