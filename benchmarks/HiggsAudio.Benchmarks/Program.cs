using BenchmarkDotNet.Running;
using HiggsAudio.Benchmarks;

// One file per command; anything else goes to BenchmarkDotNet.
switch (args.FirstOrDefault())
{
    case "make-checkpoint":
        return MakeCheckpoint.Run(args.AsSpan(1));
    case "true-size":
        return TrueSize.Run(args.AsSpan(1));
    case "cuda":
        return CudaSpeed.Run(args.AsSpan(1));
    case "formats" when args.Length > 1:
        return FormatSpeed.Run(args.AsSpan(1));
    case "start" when args.Length > 2:
        return await StartSpeed.RunAsync(args);
    case TrueSize.Spin:
        return TrueSize.RunSpin();
    case "drift":
        return Drift.Run(args);
    case "soak":
        return await Soak.RunAsync(args);
    case "serving":
        return await ServingSpeed.RunAsync(args);
    case "attention":
        return AttentionSpeed.Run(args);
    case "codec":
        return CodecSpeed.Run(args);
    case null or "help" or "--help":
        Console.WriteLine($"""
            Commands:
              {MakeCheckpoint.Usage}
              {TrueSize.Usage}
              {CudaSpeed.Usage}
              {FormatSpeed.Usage}
              {StartSpeed.Usage}
              {AttentionSpeed.Usage}
              {Drift.Usage}
              {ServingSpeed.Usage}
              {Soak.Usage}
              {CodecSpeed.Usage}
              anything else goes to BenchmarkDotNet, for example --list flat or --filter '*'
            """);
        return 0;
    default:
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
        return 0;
}
