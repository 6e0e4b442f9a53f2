// Style sheets are bundled, and are no modules.
declare module "*.css";
