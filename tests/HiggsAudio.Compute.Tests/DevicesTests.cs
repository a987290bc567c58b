using HiggsAudio.Compute.Cpu;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

internal sealed class DevicesTests
{
    [Test]
    public void The_cpu_is_known()
    {
        using Device device = Devices.Create("cpu", threads: 2);
        Assert.That(device, Is.InstanceOf<CpuDevice>());
        Assert.That(device.Name, Is.EqualTo("cpu"));
    }

    [Test]
    public void A_gpu_without_its_package_says_what_is_missing()
    {
        NotSupportedException problem = Assert.Throws<NotSupportedException>(() => Devices.Create("cuda:0"))!;
        Assert.That(problem.Message, Does.Contain("dotnet add package HiggsAudio.Cuda"));
    }

    [Test]
    public void A_kind_that_nobody_registered_is_refused_with_those_that_are_known()
    {
        NotSupportedException problem = Assert.Throws<NotSupportedException>(() => Devices.Create("abacus"))!;
        Assert.That(problem.Message, Does.Contain("abacus").And.Contain("cpu"));
    }

    [TestCase("")]
    [TestCase(":0")]
    [TestCase("cuda:")]
    [TestCase("cuda:-1")]
    [TestCase("cuda:x")]
    [TestCase("cuda:0:1")]
    [TestCase("a b")]
    public void A_name_that_is_none_is_refused(string name)
    {
        Assert.That(Devices.IsName(name), Is.False);
        Assert.Throws<ArgumentException>(() => Devices.Create(name));
    }

    [Test]
    public void A_registered_kind_is_told_its_number_and_threads()
    {
        (int Number, int Threads) told = default;
        Devices.Register("test-kind", (number, threads) =>
        {
            told = (number, threads);
            return new CpuDevice(1);
        });
        using (Device _ = Devices.Create("test-kind:12", threads: 3))
            Assert.That(told, Is.EqualTo((12, 3)));
        using (Device _ = Devices.Create("test-kind"))
            Assert.That(told, Is.EqualTo((0, 0)));
        Assert.Throws<ArgumentException>(() => Devices.Register("test:0", (_, _) => new CpuDevice(1)));
    }
}
