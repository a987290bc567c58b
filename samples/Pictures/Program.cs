// Draws a WAV file: waveform and mel spectrogram.
//   dotnet run -c Release --project samples/Pictures -- speech.wav speech.png [--light]
using HiggsAudio;
using HiggsAudio.Pictures;

if (args.Length < 2)
{
    Console.Error.WriteLine("Pictures IN.wav OUT.png [--light]");
    return 2;
}
try
{
    Waveform sound = Waveform.Load(args[0]);
    Picture picture = SoundPictures.DrawAll(sound, options: new PictureOptions { Light = args.Contains("--light") });
    picture.SavePng(args[1]);
    Console.WriteLine($"{args[1]}: {picture.Width} × {picture.Height} pixels, {sound.Duration.TotalSeconds:0.00} s at {sound.SamplingRate} Hz");
    return 0;
}
catch (Exception expected) when (expected is IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(expected.Message);
    return 1;
}
