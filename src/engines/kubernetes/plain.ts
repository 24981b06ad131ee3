/** A model class of the official client as the plain data that is sent: the API's JSON without the class. */
export type Plain<Model> = Model extends Date
  ? string
  : Model extends readonly (infer Item)[]
    ? Plain<Item>[]
    : Model extends object
      ? { [Key in keyof Model]: Plain<Model[Key]> }
      : Model;
