using System.Globalization;
using Microsoft.Playwright;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

/// <summary>The page in a real browser without a window.</summary>
[NonParallelizable]
internal sealed class PageTests
{
    private static readonly string[] Switches =
        ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    [OneTimeSetUp]
    public async Task NeedsBrowserAsync()
    {
        string? path = new[] { Environment.GetEnvironmentVariable("HIGGS_AUDIO_CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);
        if (path is null)
            Assert.Ignore("No Chromium is installed (the environment variable HIGGS_AUDIO_CHROMIUM names one).");
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = path, Args = Switches });
    }

    [OneTimeTearDown]
    public async Task CloseAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
    }

    [TestCase(ColorScheme.Light, 1280, 900)]
    [TestCase(ColorScheme.Dark, 1280, 900)]
    [TestCase(ColorScheme.Light, 390, 844)]
    [TestCase(ColorScheme.Dark, 390, 844)]
    public async Task It_speaks_shows_and_keeps_the_sound(ColorScheme scheme, int width, int height)
    {
        await using Visit visit = await OpenAsync(scheme, width, height);
        IPage page = visit.Page;
        await page.FillAsync("#text", "Good morning. How are you today?");
        await page.SelectOptionAsync("#voice", "masculine");
        await page.FillAsync("#seed", "1");
        await page.ClickAsync("#speak");
        await FinishedAsync(page);
        double duration = await page.EvaluateAsync<double>("new Promise(done => { const a = document.getElementById('audio'); if (a.duration > 0) done(a.duration); else a.onloadedmetadata = () => done(a.duration); })");
        using HttpResponseMessage same = await SharedServer.Server.PostAsync("v1/audio/speech",
            """{"input":"Good morning. How are you today?","voice":"masculine","seed":1,"temperature":0.7,"top_p":0.95,"top_k":50}""");
        Waveform expected = Waveform.Load(await same.Content.ReadAsStreamAsync());
        await ScreenshotAsync(page, $"page-{scheme}-{width}.png");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(duration, Is.EqualTo(expected.Duration.TotalSeconds).Within(0.001));
            Assert.That(await page.TextContentAsync("#length"), Is.EqualTo(string.Create(CultureInfo.InvariantCulture, $"{duration:0.0} s")));
            Assert.That(await page.TextContentAsync("#first"), Does.Match("^[0-9]+ ms$"));
            Assert.That(await page.TextContentAsync("#factor"), Does.Match("^[0-9]+\\.[0-9]{2}$"));
            Assert.That(await LitPixelsAsync(page, "waveform"), Is.GreaterThan(0.02), "part of the waveform's pixels");
            Assert.That(await LitPixelsAsync(page, "spectrogram"), Is.GreaterThan(0.5), "part of the spectrogram's pixels");
            Assert.That(await page.EvaluateAsync<int>("document.documentElement.scrollWidth"), Is.LessThanOrEqualTo(width), "nothing is cut off at the side");
            Assert.That(visit.Foreign, Is.Empty, "everything comes from the server");
            Assert.That(visit.Problems, Is.Empty);
        }
        IDownload download = await page.RunAndWaitForDownloadAsync(() => page.ClickAsync("#download"));
        Waveform kept = Waveform.Load(await download.PathAsync());
        Assert.That(kept.Length, Is.EqualTo(expected.Length));
        Assert.That(download.SuggestedFilename, Is.EqualTo("speech.wav"));
    }

    [Test]
    public async Task It_works_by_keyboard_alone()
    {
        await using Visit visit = await OpenAsync(ColorScheme.Light, 1280, 900);
        IPage page = visit.Page;
        await page.Keyboard.PressAsync("Tab");
        Assert.That(await FocusedAsync(page), Is.EqualTo("skip"));
        await page.Keyboard.PressAsync("Enter");
        Assert.That(await FocusedAsync(page), Is.EqualTo("text"));
        var reached = new List<string>();
        for (int i = 0; i < 60 && !reached.Contains("consent"); i++)
        {
            await page.Keyboard.PressAsync("Tab");
            reached.Add(await FocusedAsync(page));
        }
        Assert.That(reached, Is.SupersetOf(new[] { "voice", "seed", "temperature", "top-p", "top-k", "speed", "speak", "audio", "sample", "name", "transcript", "consent" }));
        await page.FocusAsync("#text");
        await page.Keyboard.PressAsync("Control+A");
        await page.Keyboard.TypeAsync("Thank you.");
        await page.Keyboard.PressAsync("Control+Enter");
        await FinishedAsync(page);
        Assert.That(await page.TextContentAsync("#status"), Is.EqualTo("Done."));
        await page.FillAsync("#text", string.Join(' ', Enumerable.Repeat("The weather is cold.", 100)));
        await page.FocusAsync("#text");
        await page.Keyboard.PressAsync("Control+Enter");
        await page.WaitForSelectorAsync("#length:text-matches('s$')");
        await page.Keyboard.PressAsync("Escape");
        await page.WaitForSelectorAsync("#status:text-is('Stopped.')");
        await SharedServer.Server.IdleAsync();
    }

    [Test]
    public async Task Everything_has_a_name_for_those_who_do_not_see_it()
    {
        await using Visit visit = await OpenAsync(ColorScheme.Light, 1280, 900);
        string[] nameless = await visit.Page.EvaluateAsync<string[]>("""
            [...document.querySelectorAll("button, input, select, textarea, audio, canvas, a")]
              .filter(e => !(e.getAttribute("aria-label") || e.labels?.length || e.textContent.trim()))
              .map(e => e.id || e.outerHTML)
            """);
        Assert.That(nameless, Is.Empty);
    }

    [Test]
    public async Task The_colours_can_be_chosen_and_stay()
    {
        await using Visit visit = await OpenAsync(ColorScheme.Light, 1280, 900);
        IPage page = visit.Page;
        string light = await BackgroundAsync(page);
        await page.ClickAsync("#theme");
        await page.ClickAsync("#theme");
        string dark = await BackgroundAsync(page);
        await page.ReloadAsync();
        Assert.That(dark, Is.Not.EqualTo(light));
        Assert.That(await BackgroundAsync(page), Is.EqualTo(dark));
    }

    [Test]
    public async Task A_voice_is_uploaded_chosen_and_deleted()
    {
        await using Visit visit = await OpenAsync(ColorScheme.Light, 1280, 900);
        IPage page = visit.Page;
        await page.SetInputFilesAsync("#sample", new FilePayload { Name = "me.wav", MimeType = "audio/wav", Buffer = await VoiceTests.RecordingAsync() });
        await page.FillAsync("#name", "from-page");
        await page.FillAsync("#transcript", "Good morning.");
        await page.CheckAsync("#consent");
        await page.ClickAsync("#upload button[type=submit]");
        await page.WaitForSelectorAsync("#voices li:has-text('from-page')");
        Assert.That(await page.InputValueAsync("#voice"), Is.EqualTo("from-page"));
        await page.FillAsync("#text", "Thank you.");
        await page.ClickAsync("#speak");
        await FinishedAsync(page);
        await ScreenshotAsync(page, "page-voice.png");
        await page.ClickAsync("#voices button");
        await page.WaitForSelectorAsync("#voices li", new PageWaitForSelectorOptions { State = WaitForSelectorState.Detached });
        Assert.That(visit.Problems, Is.Empty);
    }

    [Test]
    public async Task What_goes_wrong_is_said()
    {
        await using Visit visit = await OpenAsync(ColorScheme.Light, 1280, 900);
        await visit.Page.FillAsync("#text", "你好");
        await visit.Page.ClickAsync("#speak");
        await visit.Page.WaitForSelectorAsync("#status.bad");
        Assert.That(await visit.Page.TextContentAsync("#status"), Does.Contain("nothing in the text"));
    }

    [Test]
    public async Task A_key_is_asked_for_when_the_server_has_one()
    {
        await using RunningServer server = await RunningServer.StartAsync("HiggsAudio:ApiKeys:0=sesame");
        await using Visit visit = await Visit.OpenAsync(_browser!, server, ColorScheme.Dark, 390, 844);
        await visit.Page.FillAsync("#key", "sesame");
        await visit.Page.ClickAsync("#key-form button");
        await visit.Page.WaitForSelectorAsync("#model.ok");
    }

    private async Task<Visit> OpenAsync(ColorScheme scheme, int width, int height)
    {
        Visit visit = await Visit.OpenAsync(_browser!, SharedServer.Server, scheme, width, height);
        await visit.Page.WaitForSelectorAsync("#model.ok");
        return visit;
    }

    private static async Task FinishedAsync(IPage page) => await page.WaitForSelectorAsync("#download[aria-disabled=false]");

    private static Task<string> FocusedAsync(IPage page) => page.EvaluateAsync<string>("document.activeElement.id || document.activeElement.className");

    private static Task<string> BackgroundAsync(IPage page) => page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor");

    private static Task<double> LitPixelsAsync(IPage page, string canvas) => page.EvaluateAsync<double>($$"""
        (() => { const c = document.getElementById("{{canvas}}"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
          let lit = 0; for (let i = 3; i < d.length; i += 4) if (d[i] > 0) lit++; return lit / (d.length / 4); })()
        """);

    private static async Task ScreenshotAsync(IPage page, string name)
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, name);
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = path, FullPage = true });
        TestContext.AddTestAttachment(path);
    }

    /// <summary>A page that was opened, and what happened on it.</summary>
    private sealed class Visit(IBrowserContext context, IPage page) : IAsyncDisposable
    {
        public IPage Page => page;

        public List<string> Problems { get; } = [];

        public List<string> Foreign { get; } = [];

        public static async Task<Visit> OpenAsync(IBrowser browser, RunningServer server, ColorScheme scheme, int width, int height)
        {
            IBrowserContext context = await browser.NewContextAsync(new BrowserNewContextOptions { ColorScheme = scheme, ViewportSize = new ViewportSize { Width = width, Height = height } });
            context.SetDefaultTimeout(300_000);   // the machine may be busy; only what hangs fails
            var visit = new Visit(context, await context.NewPageAsync());
            visit.Page.PageError += (_, error) => visit.Problems.Add(error);
            visit.Page.Console += (_, message) =>
            {
                if (message.Type == "error")
                    visit.Problems.Add(message.Text);
            };
            visit.Page.Request += (_, request) =>
            {
                if (!request.Url.StartsWith(server.Address.ToString(), StringComparison.Ordinal) && !request.Url.StartsWith("blob:", StringComparison.Ordinal))
                    visit.Foreign.Add(request.Url);
            };
            await visit.Page.GotoAsync(server.Address.ToString());
            return visit;
        }

        public async ValueTask DisposeAsync() => await context.DisposeAsync();
    }
}
