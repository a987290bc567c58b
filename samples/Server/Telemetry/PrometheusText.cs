using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace HiggsAudio.Server.Telemetry;

/// <summary>
/// Listens to the meters of HiggsAudio and writes them in Prometheus' text format (version 0.0.4). A program with more to export uses OpenTelemetry;
/// this is enough for one without dependencies.
/// </summary>
internal sealed class PrometheusText : IDisposable
{
    private const string Prefix = "HiggsAudio";
    private static readonly double[] DefaultBounds = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];
    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Family> _families = new(StringComparer.Ordinal);

    public PrometheusText(IMeterFactory factory)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // Other servers of the same process have meters of their own.
            if (instrument.Meter.Name.StartsWith(Prefix, StringComparison.Ordinal) && (instrument.Meter.Scope is null || ReferenceEquals(instrument.Meter.Scope, factory)))
                listener.EnableMeasurementEvents(instrument, FamilyOf(instrument));
        };
        _listener.SetMeasurementEventCallback<double>((_, value, tags, family) => Add((Family)family!, value, tags));
        _listener.SetMeasurementEventCallback<float>((_, value, tags, family) => Add((Family)family!, value, tags));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, family) => Add((Family)family!, value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, family) => Add((Family)family!, value, tags));
        _listener.Start();
    }

    /// <summary>All that was measured until now.</summary>
    public string Write()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder();
        lock (_lock)
            foreach ((string name, Family family) in _families)
                family.Write(text, name);
        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private Family FamilyOf(Instrument instrument)
    {
        (string type, double[] bounds) = instrument switch
        {
            Histogram<double> h => ("histogram", [.. h.Advice?.HistogramBucketBoundaries ?? DefaultBounds]),
            Histogram<long> h => ("histogram", [.. h.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound) ?? DefaultBounds]),
            Histogram<int> h => ("histogram", [.. h.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound) ?? DefaultBounds]),
            _ when instrument.GetType().GetGenericTypeDefinition() is { } kind && (kind == typeof(Counter<>) || kind == typeof(ObservableCounter<>)) => ("counter", Array.Empty<double>()),
            _ => ("gauge", Array.Empty<double>()),
        };
        bool isSum = type == "counter" && !instrument.IsObservable || instrument.GetType().Name.StartsWith("UpDownCounter", StringComparison.Ordinal);
        string name = Name(instrument.Name, instrument.Unit, type);
        lock (_lock)
        {
            if (!_families.TryGetValue(name, out Family? family))
                _families[name] = family = new Family(type, instrument.Description ?? instrument.Name, bounds, isSum);
            return family;
        }
    }

    // OpenTelemetry's rules: dots become underscores, the unit is part of the name, a counter ends with total.
    private static string Name(string instrument, string? unit, string type)
    {
        string name = string.Concat(instrument.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        string suffix = unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        if (!name.EndsWith(suffix, StringComparison.Ordinal))
            name += suffix;
        return type == "counter" && !name.EndsWith("_total", StringComparison.Ordinal) ? name + "_total" : name;
    }

    private void Add(Family family, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = new StringBuilder();
        foreach ((string key, object? tag) in tags)
        {
            string name = string.Concat(key.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
            string label = Convert.ToString(tag, CultureInfo.InvariantCulture) ?? "";
            labels.Append(labels.Length > 0 ? "," : "").Append(name).Append("=\"")
                .Append(label.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('"');
        }
        lock (_lock)
            family.Add(labels.ToString(), value);
    }

    /// <summary>All series of one name.</summary>
    private sealed class Family(string type, string description, double[] bounds, bool isSum)
    {
        // A name with many values would fill the memory; the first are kept.
        private const int MostSeries = 1000;
        private readonly SortedDictionary<string, Series> _series = new(StringComparer.Ordinal);

        public void Add(string labels, double value)
        {
            if (!_series.TryGetValue(labels, out Series? series))
            {
                if (_series.Count == MostSeries)
                    return;
                _series[labels] = series = new Series(new long[bounds.Length]);
            }
            series.Value = isSum || type == "histogram" ? series.Value + value : value;
            series.Count++;
            for (int i = 0; i < bounds.Length; i++)
                if (value <= bounds[i])
                    series.Buckets[i]++;
        }

        public void Write(StringBuilder text, string name)
        {
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {description.ReplaceLineEndings(" ")}\n# TYPE {name} {type}\n");
            foreach ((string labels, Series series) in _series)
            {
                if (type == "histogram")
                    WriteHistogram(text, name, labels, series);
                else
                    text.Append(CultureInfo.InvariantCulture, $"{name}{(labels.Length > 0 ? $"{{{labels}}}" : "")} {series.Value}\n");
            }
        }

        private void WriteHistogram(StringBuilder text, string name, string labels, Series series)
        {
            string comma = labels.Length > 0 ? "," : "", braces = labels.Length > 0 ? $"{{{labels}}}" : "";
            for (int i = 0; i < bounds.Length; i++)
                text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"{bounds[i]}\"}} {series.Buckets[i]}\n");
            text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {series.Count}\n");
            text.Append(CultureInfo.InvariantCulture, $"{name}_sum{braces} {series.Value}\n{name}_count{braces} {series.Count}\n");
        }
    }

    private sealed class Series(long[] buckets)
    {
        public double Value { get; set; }

        public long Count { get; set; }

        public long[] Buckets { get; } = buckets;
    }
}
