// Kinds of procedural cut-outs, each drawn into a sprite of about one unit in height.
#pragma once

#include "wildrayzer/worlds/sprite.h"

namespace wildrayzer {

// A person standing, walking or gesturing, from the front, the back or the side.
void DrawPerson(Sprite& sprite, Random& random);
// A four-legged animal from the side.
void DrawAnimal(Sprite& sprite, Random& random);
// A blob, or a thing that people move: balls, balloons, cars, birds, suitcases, plants, umbrellas.
void DrawThing(Sprite& sprite, Random& random);

}  // namespace wildrayzer
