using HiggsAudio.Compute;
using HiggsAudio.Model;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

internal sealed class DecodeStepTests
{
    [Test]
    public void A_decode_step_allocates_nothing([Values("lm_a", "lm_b", "lm_c", "lm_d")] string name,
        [Values(WeightFormat.AsStored, WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format)
    {
        using var fixture = new LmFixture(LmFixture.Folder(name), LmFixture.Cpu, format);
        using SequenceState sequence = fixture.Model.CreateSequence();
        TokenBatch batch = fixture.Model.CreateBatch();
        int[] codes = new int[fixture.Model.Config.AudioNumCodebooks];
        sequence.Reserve(512);
        int Steps(int count)
        {
            int read = 0;
            for (int step = 0; step < count; step++)
            {
                batch.Clear();
                bool audio = step % 3 != 0;
                if (audio)
                    batch.AddAudio(sequence, codes);
                else
                    batch.AddText(sequence, 1 + step);
                int request = audio ? batch.RequestAudioLogits() : batch.RequestTextLogits();
                fixture.Model.Forward(fixture.Lane, batch);
                read += (audio ? batch.AudioLogits(request) : batch.TextLogits(request)).Length;
            }
            return read;
        }
        Steps(30);
        long before = GC.GetAllocatedBytesForCurrentThread();
        int logits = Steps(60);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(logits, Is.Positive);
    }
}
