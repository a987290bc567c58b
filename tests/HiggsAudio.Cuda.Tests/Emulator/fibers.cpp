#include "fibers.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__x86_64__)
// Saves what a function must keep and changes the stack.
extern "C" void emulator_switch(void** from, void* to);
asm(R"(
    .text
    .globl emulator_switch
    .hidden emulator_switch
    .type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size emulator_switch, .-emulator_switch
)");
#endif

namespace emulator
{
    namespace
    {
        constexpr size_t StackBytes = 256 * 1024, PageBytes = 4096, GuardBytes = 1024;
        constexpr unsigned char Poison = 0xFF, Guard = 0xA5;

        enum class State { Unstarted, Running, Ready, Waiting, Joining, Done };

        struct Fiber
        {
            char* stack;
            void* stackPointer;
            int thread;             // -1: none
#if !defined(__x86_64__)
            ucontext_t context;
#endif
        };

        struct Warp
        {
            const char* name;       // of the operation that lanes wait for, or null
            unsigned mask, arrived;
            void* arguments[32];
            int fibers[32];
        };

        // Fibers that can go on; a block has at most 1024.
        struct Ring
        {
            int fibers[2048];
            unsigned first = 0, end = 0;

            bool empty() const { return first == end; }
            void clear() { first = end = 0; }
            void push(int fiber) { fibers[end++ % 2048] = fiber; }
            int pop_first() { return fibers[first++ % 2048]; }
            int pop_last() { return fibers[--end % 2048]; }
        };

        struct Execution
        {
            const Launch* launch;
            std::vector<Thread> threads;
            std::vector<State> states;
            std::vector<Warp> warps;
            Ring ready;
            std::vector<int> waiting;           // fibers at the barrier
            int next, done;
            bool backwards;                     // the last thread first
            unsigned blocks = 0, launches = 0;  // so far
            std::string error;
        };

        Runtime state;
        Execution now;
        std::vector<std::unique_ptr<Fiber>> fibers;
        std::vector<int> idle;
        int current = -1;
        Fiber home;

#if defined(__x86_64__)
        void change(Fiber& from, Fiber& to) { emulator_switch(&from.stackPointer, to.stackPointer); }
#else
        void change(Fiber& from, Fiber& to) { swapcontext(&from.context, &to.context); }
#endif

        void work();

        int make_fiber()
        {
            auto fiber = std::make_unique<Fiber>();
            fiber->stack = (char*)mmap(nullptr, StackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (fiber->stack == MAP_FAILED)
                abort();
            mprotect(fiber->stack, PageBytes, PROT_NONE);
            fibers.push_back(std::move(fiber));
            return (int)fibers.size() - 1;
        }

        void start_fiber(int number)
        {
            Fiber& fiber = *fibers[number];
            fiber.thread = -1;
#if defined(__x86_64__)
            // Stacks begin at different offsets, so that they do not meet in the same lines of the processor's cache.
            void** top = (void**)(fiber.stack + StackBytes - 64 - number % 64 * 1088);
            *--top = nullptr;                   // keeps the stack as a call would leave it
            *--top = (void*)&work;
            for (int i = 0; i < 6; i++)
                *--top = nullptr;
            fiber.stackPointer = top;
#else
            getcontext(&fiber.context);
            fiber.context.uc_stack.ss_sp = fiber.stack;
            fiber.context.uc_stack.ss_size = StackBytes;
            fiber.context.uc_link = nullptr;
            makecontext(&fiber.context, work, 0);
#endif
        }

        void resume(int to)
        {
            Fiber& from = current < 0 ? home : *fibers[current];
            current = to;
            Fiber& target = to < 0 ? home : *fibers[to];
            if (target.thread >= 0 && to >= 0)
                state.thread = &now.threads[target.thread];
            change(from, target);
        }

        // Goes on with whatever can run; home if nothing can.
        void yield()
        {
            if (!now.error.empty())
                resume(-1);
            else if (!now.ready.empty())
            {
                int fiber = now.backwards ? now.ready.pop_last() : now.ready.pop_first();
                if (fiber != current)
                    resume(fiber);
            }
            else if (now.next < (int)now.threads.size())
            {
                int fiber;
                if (idle.empty())
                    fiber = make_fiber();
                else
                {
                    fiber = idle.back();
                    idle.pop_back();
                }
                start_fiber(fiber);
                resume(fiber);
            }
            else
                resume(-1);
        }

        // A fiber takes thread after thread.
        void work()
        {
            while (now.error.empty() && now.next < (int)now.threads.size())
            {
                int thread = now.backwards ? (int)now.threads.size() - 1 - now.next : now.next;
                now.next++;
                fibers[current]->thread = thread;
                state.thread = &now.threads[thread];
                now.states[thread] = State::Running;
                now.launch->kernel->invoke(now.launch->arguments);
                now.states[thread] = State::Done;
                now.done++;
                fibers[current]->thread = -1;
            }
            idle.push_back(current);
            yield();
        }

        [[noreturn]] void fail(const char* message)
        {
            if (now.error.empty())
            {
                char text[400];
                Index t = state.thread->index, b = state.block;
                snprintf(text, sizeof text, "%s: block (%u, %u, %u), thread (%u, %u, %u): %s.", now.launch->kernel->name, b.x, b.y, b.z, t.x, t.y, t.z, message);
                now.error = text;
            }
            resume(-1);
            abort();
        }

        void synchronize()
        {
            int thread = fibers[current]->thread;
            now.states[thread] = State::Waiting;
            now.waiting.push_back(current);
            if (now.waiting.size() == now.threads.size())
            {
                for (int fiber : now.waiting)
                {
                    now.states[fibers[fiber]->thread] = State::Ready;
                    now.ready.push(fiber);
                }
                now.waiting.clear();
            }
            yield();
            now.states[thread] = State::Running;
        }

        void join(const char* name, unsigned mask, void* arguments, WarpFunction compute)
        {
            const Thread& thread = *state.thread;
            Warp& warp = now.warps[thread.warp];
            int index = fibers[current]->thread;
            if (!(mask >> thread.lane & 1))
                fail("a lane takes part in a warp operation whose mask does not name it");
            if (!warp.name)
            {
                warp.name = name;
                warp.mask = mask;
                warp.arrived = 0;
                memset(warp.arguments, 0, sizeof warp.arguments);
            }
            else if ((warp.name != name && strcmp(warp.name, name) != 0) || warp.mask != mask)
            {
                std::string text = std::string("lanes of a warp diverge: ") + name + " while others are at " + warp.name;
                fail(text.c_str());
            }
            warp.arrived |= 1u << thread.lane;
            warp.arguments[thread.lane] = arguments;
            warp.fibers[thread.lane] = current;
            if (warp.arrived != mask)
            {
                now.states[index] = State::Joining;
                yield();
                now.states[index] = State::Running;
                return;
            }
            compute(warp.arguments);
            warp.name = nullptr;
            for (int lane = 0; lane < 32; lane++)
                if ((mask >> lane & 1) && lane != thread.lane)
                {
                    now.states[fibers[warp.fibers[lane]]->thread] = State::Ready;
                    now.ready.push(warp.fibers[lane]);
                }
        }

        std::string describe_deadlock()
        {
            int barrier = 0, operation = 0, done = 0;
            std::string first;
            for (size_t i = 0; i < now.states.size(); i++)
            {
                barrier += now.states[i] == State::Waiting;
                done += now.states[i] == State::Done;
                if (now.states[i] == State::Joining && operation++ == 0)
                {
                    char text[200];
                    const Warp& warp = now.warps[now.threads[i].warp];
                    snprintf(text, sizeof text, ", %s in warp %d with lanes %08x of %08x", warp.name, now.threads[i].warp, warp.arrived, warp.mask);
                    first = text;
                }
            }
            char text[400];
            snprintf(text, sizeof text, "%s: block (%u, %u, %u): not all threads come: %d wait at a barrier, %d in warp operations, %d have ended%s.", now.launch->kernel->name,
                state.block.x, state.block.y, state.block.z, barrier, operation, done, first.c_str());
            return text;
        }

        void run_block()
        {
            now.ready.clear();
            now.waiting.clear();
            now.next = now.done = 0;
            now.backwards = now.blocks++ % 2 == 1;        // a missing barrier shows in one of the orders
            std::fill(now.states.begin(), now.states.end(), State::Unstarted);
            for (Warp& warp : now.warps)
                warp.name = nullptr;
            if (now.launch->module->sharedEnd > now.launch->module->sharedBegin)
                memset(now.launch->module->sharedBegin, Poison, now.launch->module->sharedEnd - now.launch->module->sharedBegin);
            if (now.launch->sharedBytes > 0)
                memset(state.shared, Poison, now.launch->sharedBytes);
            current = -1;
            while (now.error.empty() && now.done < (int)now.threads.size())
            {
                if (now.ready.empty() && now.next == (int)now.threads.size())
                    now.error = describe_deadlock();
                else
                    yield();
            }
        }
    }

    Runtime* runtime()
    {
        state.synchronize = synchronize;
        state.join = join;
        state.fail = fail;
        return &state;
    }

    std::string run(const Launch& launch)
    {
        static const std::vector<unsigned char> untouched(GuardBytes, Guard);
        std::vector<unsigned char> room(launch.sharedBytes + 2 * GuardBytes + 16, Guard);
        unsigned char* base = room.data() + (16 - (size_t)room.data() % 16) % 16;
        state.shared = (char*)base + GuardBytes;
        state.blockSize = launch.block;
        state.gridSize = launch.grid;
        now.launch = &launch;
        now.error.clear();
        size_t count = (size_t)launch.block.x * launch.block.y * launch.block.z;
        now.threads.resize(count);
        now.states.assign(count, State::Unstarted);
        now.warps.assign((count + 31) / 32, Warp());
        for (size_t i = 0; i < count; i++)
        {
            unsigned x = (unsigned)(i % launch.block.x), y = (unsigned)(i / launch.block.x % launch.block.y), z = (unsigned)(i / launch.block.x / launch.block.y);
            now.threads[i] = { { x, y, z }, (int)(i / 32), (int)(i % 32) };
        }
        // Blocks in this order or the other.
        uint64_t blocks = (uint64_t)launch.grid.x * launch.grid.y * launch.grid.z;
        bool reversed = now.launches++ % 2 == 1;
        for (uint64_t i = 0; i < blocks && now.error.empty(); i++)
        {
            uint64_t b = reversed ? blocks - 1 - i : i;
            state.block = { (unsigned)(b % launch.grid.x), (unsigned)(b / launch.grid.x % launch.grid.y), (unsigned)(b / launch.grid.x / launch.grid.y) };
            run_block();
            if (now.error.empty() && (memcmp(base, untouched.data(), GuardBytes) != 0 || memcmp(state.shared + launch.sharedBytes, untouched.data(), GuardBytes) != 0))
                now.error = std::string(launch.kernel->name) + ": wrote outside of its shared memory.";
        }
        // What was left behind is of no use any more.
        if (!now.error.empty())
        {
            idle.clear();
            for (size_t i = 0; i < fibers.size(); i++)
                idle.push_back((int)i);
        }
        return now.error;
    }
}
