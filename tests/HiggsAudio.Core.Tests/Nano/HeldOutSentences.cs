namespace HiggsAudio.Core.Tests.Nano;

/// <summary>
/// Sentences that the nano voice was not trained on: 24 of the Harvard sentences (IEEE Recommended Practice for Speech Quality Measurements,
/// 1969) and 16 everyday ones of the training recipe.
/// </summary>
internal static class HeldOutSentences
{
    public static readonly string[] All =
    [
        "the birch canoe slid on the smooth planks.",
        "glue the sheet to the dark blue background.",
        "it's easy to tell the depth of a well.",
        "these days a chicken leg is a rare dish.",
        "rice is often served in round bowls.",
        "the juice of lemons makes fine punch.",
        "the box was thrown beside the parked truck.",
        "four hours of steady work faced us.",
        "a large size in stockings is hard to sell.",
        "the boy was there when the sun rose.",
        "a rod is used to catch pink salmon.",
        "the source of the huge river is the clear spring.",
        "kick the ball straight and follow through.",
        "help the woman get back to her feet.",
        "a pot of tea helps to pass the evening.",
        "smoky fires lack flame and heat.",
        "the soft cushion broke the man's fall.",
        "the salt breeze came across from the sea.",
        "the girl at the booth sold fifty bonds.",
        "the small pup gnawed a hole in the sock.",
        "the fish twisted and turned on the bent hook.",
        "press the pants and sew a button on the vest.",
        "the swan dive was far short of perfect.",
        "the beauty of the view stunned the young boy.",
        "what time is the next train to london?",
        "please tell me where you would like to go.",
        "i have never been so happy in my life.",
        "my brother wants to buy a new car.",
        "hello, my name is anna.",
        "how are you today?",
        "thank you very much for your help.",
        "the weather is cold and rainy today.",
        "she sells sea shells by the sea shore.",
        "we will meet again at seven o'clock.",
        "i would like a cup of coffee, please.",
        "he opened the door and looked outside.",
        "one, two, three, four, five.",
        "there are twelve months in a year.",
        "can you hear what i am saying?",
        "this is a very small speech model.",
    ];
}
