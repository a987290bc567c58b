namespace HiggsAudio.Serving;

/// <summary>
/// How many rows of prompts a pass takes while others wait for sound: as many as make it last <see cref="Slowdown"/> times as long as their
/// steps alone, by the times of the passes so far. So a machine that computes prompts slowly does not fall silent for a whole one, and a fast
/// one is not held up by small pieces. Results do not depend on it.
/// </summary>
/// <param name="mostRows">Rows that a pass may have at most.</param>
internal sealed class PrefillPace(int mostRows)
{
    /// <summary>How many times as long as their own step those who speak wait while there are prompts.</summary>
    public const double Slowdown = 4;

    // What kernels compute together; less of them costs as much.
    private const int Together = 8;

    // Of a new time in what is known; speakers come and go, and other programs, too.
    private const double Share = 0.25;

    private double _step, _row;                                                   // seconds; 0 while not known

    /// <summary>Rows that the next pass may take.</summary>
    public int Rows
    {
        get
        {
            if (_step == 0 || _row == 0)
                return Math.Min(mostRows, 4 * Together);
            double rows = (Slowdown - 1) * _step / _row;
            return rows >= mostRows ? mostRows : Math.Min(mostRows, Math.Max(1, (int)(rows / Together)) * Together);
        }
    }

    /// <summary>Notes what a pass took.</summary>
    /// <param name="steps">Rows of those who speak.</param>
    /// <param name="promptRows">Rows of prompts.</param>
    /// <param name="seconds">Its time.</param>
    public void Note(int steps, int promptRows, double seconds)
    {
        if (promptRows == 0)
            _step = Blend(_step, seconds);
        else if (steps == 0 ? promptRows >= 4 * Together : _step > 0)
            _row = Blend(_row, Math.Max(seconds - (steps == 0 ? 0 : _step), 1e-9) / promptRows);
    }

    private static double Blend(double known, double seconds) => known == 0 ? seconds : known + Share * (seconds - known);
}
