using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Rows quantized for <see cref="QuantizedMatMul"/>, in tiles of 8; the last has 1, 4 or 8, the missing ones zeros. A tile is, for every
/// block of 32 inputs: the rows' scales; −offset times the sums of their codes; the codes of 4 inputs of every row, the next 4, and so on.
/// 4 codes are 4 bytes, or words: inputs 0 and 2 of all rows, then 1 and 3.
/// </summary>
internal readonly unsafe struct QuantizedInputs
{
    /// <summary>Rows of a tile.</summary>
    public const int MostRows = 8;

    private const int FoursOfBlock = BlockQuantization.Size / 4;

    private readonly int* _data;
    private readonly int _lastRows, _wordsPerRow;      // a row's integers in a tile

    private QuantizedInputs(int* data, int tiles, int lastRows, int wordsPerRow)
    {
        _data = data;
        (Tiles, _lastRows, _wordsPerRow) = (tiles, lastRows, wordsPerRow);
    }

    /// <summary>Number of tiles.</summary>
    public int Tiles { get; }

    /// <summary>Rows for which there is room in a tile: 1, 4 or 8.</summary>
    public int RowsOf(int tile) => tile + 1 < Tiles ? MostRows : _lastRows;

    /// <summary>The start of a tile.</summary>
    public int* Tile(int tile) => _data + (long)tile * MostRows * _wordsPerRow;

    /// <summary>Quantizes the rows of a matrix.</summary>
    /// <param name="threads">Threads that do it.</param>
    /// <param name="arena">Where the result is.</param>
    /// <param name="x">The matrix.</param>
    /// <param name="offset">The weight's code of zero.</param>
    /// <param name="asWords">Whether codes are words.</param>
    public static QuantizedInputs Of(CpuThreads threads, CpuArena arena, Matrix x, int offset, bool asWords)
    {
        int tiles = (x.Rows + MostRows - 1) / MostRows, last = x.Rows - (tiles - 1) * MostRows;
        int words = 2 * QuantizedPanels.Groups(x.Columns) * BlockWords(asWords);
        last = last == 1 ? 1 : last <= 4 ? 4 : MostRows;
        var data = (int*)arena.Allocate(((long)(tiles - 1) * MostRows + last) * words);
        var inputs = new QuantizedInputs(data, tiles, last, words);
        threads.Run(new Job(inputs, x, offset, asWords), tiles);
        return inputs;
    }

    // Scale, sum, codes.
    private static int BlockWords(bool asWords) => 2 + (asWords ? 2 : 1) * FoursOfBlock;

    private readonly struct Job(QuantizedInputs inputs, Matrix x, int offset, bool asWords) : IChunkedJob
    {
        public void Execute(int tile)
        {
            int rows = inputs.RowsOf(tile);
            for (int r = 0; r < rows; r++)
            {
                int row = tile * MostRows + r;
                if (row < x.Rows)
                    Quantize(x.Row(row), inputs.Tile(tile), r, rows);
                else
                    Clear(inputs.Tile(tile) + r, rows);
            }
        }

        private void Clear(int* to, int rows)
        {
            for (int i = 0; i < inputs._wordsPerRow; i++)
                to[(nint)i * rows] = 0;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Quantize(float* from, int* to, int row, int rows)
        {
            float* rest = stackalloc float[BlockQuantization.Size];
            int blocks = 2 * QuantizedPanels.Groups(x.Columns), block = 0;
            for (; block < x.Columns / BlockQuantization.Size; block++, to += rows * BlockWords(asWords))
                Block(from + block * BlockQuantization.Size, to, row, rows);
            for (; block < blocks; block++, to += rows * BlockWords(asWords))
            {
                int done = block * BlockQuantization.Size, count = Math.Clamp(x.Columns - done, 0, BlockQuantization.Size);
                new Span<float>(rest, BlockQuantization.Size).Clear();
                new ReadOnlySpan<float>(from + done, count).CopyTo(new Span<float>(rest, count));
                Block(rest, to, row, rows);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Block(float* from, int* to, int row, int rows)
        {
            Vector256<sbyte> codes = BlockQuantization.QuantizeInput(Vector512.Load(from), Vector512.Load(from + 16), out float scale);
            Vector256<short> even = (codes.AsInt16() << 8) >> 8, odd = codes.AsInt16() >> 8;
            ((float*)to)[row] = scale;
            to[rows + row] = -offset * Vector256.Sum(even + odd);
            to += 2 * rows + row;
            int* fours = stackalloc int[2 * FoursOfBlock];
            if (!asWords)
            {
                codes.AsInt32().Store(fours);
                for (int i = 0; i < FoursOfBlock; i++)
                    to[i * rows] = fours[i];
                return;
            }
            even.AsInt32().Store(fours);
            odd.AsInt32().Store(fours + FoursOfBlock);
            for (int i = 0; i < FoursOfBlock; i++)
            {
                to[2 * i * rows] = fours[i];
                to[(2 * i + 1) * rows] = fours[FoursOfBlock + i];
            }
        }
    }
}
